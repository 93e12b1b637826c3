"""Translation of codes into another region's format."""
