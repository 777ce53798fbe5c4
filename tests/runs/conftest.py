"""The tiny dataset and recipe of the tests of training."""

from tests.training.conftest import parser_file, tiny_config, tiny_pictures

__all__ = ["parser_file", "tiny_config", "tiny_pictures"]
