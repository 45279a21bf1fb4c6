"""What searches have learnt of messages, kept in a form in which one look goes through hundreds of them."""
