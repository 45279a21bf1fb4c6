"""Wait for a one-time code: ``python wait_for_code.py imap.example.com 993 me@example.com TOKEN``."""

import email.policy
import re
import sys
import time

from imapclient import IMAPClient


def wait_for_code(host: str, port: int, user: str, token: str, *, patience: float = 120, ssl: bool = True) -> str:
    """Return the first six digits of a message that nobody has read; it may be there already."""
    until = time.monotonic() + patience
    with IMAPClient(host, port, ssl=ssl) as client:
        client.login(user, token)
        client.select_folder("INBOX")
        while (left := until - time.monotonic()) > 0:
            for found in client.fetch(client.search("UNSEEN"), ["BODY[]"]).values():
                message = email.message_from_bytes(found[b"BODY[]"], policy=email.policy.default)
                text = message.get_body(("plain", "html"))
                if text is not None and (code := re.search(r"\b\d{6}\b", text.get_content())):
                    return code[0]
            client.idle()
            client.idle_check(min(left, 20))
            client.idle_done()
    raise TimeoutError("no code came")


if __name__ == "__main__":
    print(wait_for_code(sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]))
