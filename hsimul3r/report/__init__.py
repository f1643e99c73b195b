"""A run as one HTML file that needs nothing else."""

from hsimul3r.report.page import write_report

__all__ = ["write_report"]
