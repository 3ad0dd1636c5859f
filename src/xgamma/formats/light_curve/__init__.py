"""Light curves in the layout of Gammapy, a generalisation of the SED format of GADF."""
