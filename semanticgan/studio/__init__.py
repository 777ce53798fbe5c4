"""The studio: a page on this computer on which a face is designed in four steps and edited region by region.

The page and the server share one state, an edit (:mod:`semanticgan.edits`): a source and a list of operations, as JSON.
"""
