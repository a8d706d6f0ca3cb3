"""The synthetic county: invented returns in real file formats. Only the front door imports it."""
