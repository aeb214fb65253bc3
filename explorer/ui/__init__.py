"""The page: widgets collect values, the rest of `explorer` computes, nothing is computed here."""
