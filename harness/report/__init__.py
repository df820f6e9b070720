"""Renders records and conclusions as text, Markdown, HTML pages and exports."""
