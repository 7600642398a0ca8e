"""What the columns of a report mean, by their English headings: the data dictionary."""

from __future__ import annotations

from typing import NamedTuple

FRACTION = "0 to 1; the workbook shows it as %"
_PIXELS = "pixels of the upright photo"


class Meaning(NamedTuple):
    """Of a column.

    Args:
        sentence: what it says.
        unit: of its values; empty for text.
    """

    sentence: str
    unit: str = ""


MEANINGS: dict[str, Meaning] = {
    "crop": Meaning("The subject, cut out of the upright photo."),
    "photo": Meaning("The file, by its path in the folder of photos; a link to it."),
    "class": Meaning("What the subject most probably is."),
    "class confidence": Meaning("How sure the classifier is of the class: the darker the cell, the less.", FRACTION),
    "unsure": Meaning("yes: the classifier is not sure enough, somebody should look. These boxes are on To check too."),
    "decided by": Meaning("What decided between several sets of weights: all agreed, a majority, or the mean of all."),
    "runner-up": Meaning("The second most probable class."),
    "runner-up confidence": Meaning("How probable the runner-up is.", FRACTION),
    "lead over runner-up": Meaning(
        "Class confidence less runner-up confidence. The rows are sorted by it, the most doubtful first.", FRACTION
    ),
    "correct class": Meaning(
        "For you to fill in where the class is wrong: choose the right one. cropsort correct reads it back."
    ),
    "note": Meaning("For you to fill in, with whatever you like."),
    "detector confidence": Meaning("How sure the detector is that the box holds a subject.", FRACTION),
    "left (px)": Meaning("Left edge of the box, from the photo's left edge.", _PIXELS),
    "top (px)": Meaning("Upper edge of the box, from the photo's upper edge.", _PIXELS),
    "right (px)": Meaning("Right edge of the box, from the photo's left edge.", _PIXELS),
    "bottom (px)": Meaning("Lower edge of the box, from the photo's upper edge.", _PIXELS),
    "captured": Meaning("When the photo was taken, by the camera's clock (EXIF).", "date and time"),
    "camera": Meaning("Make and model of the camera (EXIF)."),
    "latitude": Meaning("Where the photo was taken (EXIF).", "degrees, north positive"),
    "longitude": Meaning("Where the photo was taken (EXIF).", "degrees, east positive"),
    "key": Meaning("How cropsort finds the row again, whatever you sort, filter or hide. Leave it as it is."),
    "annotated picture": Meaning("The photo with its boxes drawn in; a link to it."),
    "status": Meaning("ok: something was found; empty: nothing was; others could not be sorted: see Problems."),
    "boxes found": Meaning("Boxes found in the photo; empty where it could not be sorted.", "number of boxes"),
    "reviewed: all boxes right": Meaning(
        "For you to fill in: yes where no subject lacks a box and, with your corrections, all classes are right."
        " cropsort correct trains on it."
    ),
    "largest class confidence": Meaning("Class confidence of the surest box.", FRACTION),
    "width (px)": Meaning("Width of the upright photo.", "pixels"),
    "height (px)": Meaning("Height of the upright photo.", "pixels"),
    "seconds": Meaning("Time spent on the photo; photos that were sorted together share it.", "s"),
    "problem": Meaning("Why the file could not be sorted."),
    "what to do": Meaning("What helps in most cases."),
    "boxes": Meaning("Boxes of the class.", "number of boxes"),
    "share": Meaning("Boxes of the class, of all boxes.", FRACTION),
    "mean class confidence": Meaning("Mean class confidence of the boxes of the class.", FRACTION),
    "unsure boxes": Meaning("Boxes of the class that somebody should look at.", "number of boxes"),
    "best crop": Meaning("The photo with the surest box of the class; a link to it. Its crop is shown.", ""),
    "best confidence": Meaning("Class confidence of that box.", FRACTION),
    "worst crop": Meaning("The photo with the least sure box of the class; a link to it."),
    "worst confidence": Meaning("Class confidence of that box.", FRACTION),
    "sheet": Meaning("The sheet that the column is on."),
    "column": Meaning("The column's heading."),
    "meaning": Meaning("What it says."),
    "unit": Meaning("Of its values; empty for text."),
}

COUNTED = Meaning("Boxes of the class {name} in the photo; empty where it could not be sorted.", "number of boxes")
"""Of the columns that count the boxes of a class in a photo."""
