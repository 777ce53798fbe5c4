"""Regions swapped, varied and interpolated; strict compositing, the measure of locality, sheets and videos."""
