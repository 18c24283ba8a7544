"""Tables, figures and words made from results; nothing here computes physics."""
