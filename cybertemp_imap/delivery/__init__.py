"""Mail in: SMTP, LMTP and a pipe, for those who have no other receiver."""
