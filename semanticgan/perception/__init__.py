"""Networks that look at pictures: parser, classifier, extractors, perceptual distance, identity; their training."""
