"""Where the flux of a source comes from on the sky."""
