"""The wire: reader, grammar, responses, outlet, and one module for each command."""
