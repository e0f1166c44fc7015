"""Pages: one HTML file that needs nothing else. document.py makes it; bundles/ has the code, built from lab/web."""
