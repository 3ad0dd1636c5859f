"""The declaration of an analysis: sections, fields and their rules, and the requests that they make."""
