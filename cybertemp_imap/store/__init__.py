"""Where accounts, mailboxes and messages are kept."""
