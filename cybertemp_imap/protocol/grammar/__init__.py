"""The grammar of commands (RFC 9051 section 9): one module for each family, all reading from one tokenizer."""
