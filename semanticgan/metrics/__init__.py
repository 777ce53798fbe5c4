"""How good, how diverse, how smooth and how local: one file a metric.

Pictures (``samples``) become features (``extractors``, ``statistics``), features become numbers (``fid``, ``kid``,
``inception_score``, ``precision_recall``); codes become a ``path_length``, by a ``perceptual`` distance. ``evaluate``
runs several at once, ``table`` shows them.
"""
