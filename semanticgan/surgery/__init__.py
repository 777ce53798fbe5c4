"""Models made from other models: blended, grown."""
