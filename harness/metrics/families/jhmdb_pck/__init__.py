"""PCK by person size and by torso size: JHMDB."""
