"""Sources of labelled texts, and the way from a text to a padded batch."""
