"""Reports: report.json, HTML pages, PDF, citations."""
