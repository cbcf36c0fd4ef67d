"""Model directories: a card, weights without pickles, and the networks made from them."""
