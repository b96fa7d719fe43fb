"""What came of a recipe, on one page for people and as JSON for machines."""

from model_export.report.document import as_dict
from model_export.report.writing import write_report

__all__ = ["as_dict", "write_report"]
