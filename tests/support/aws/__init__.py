"""A test double of the parts of AWS that linesign uses. Start with README.md in this folder."""
