"""LibreOffice with its hand on a workbook: what a reader does there, done by a macro."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from xml.sax.saxutils import escape

import pytest

_LIBRARY = """\
<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE library:library PUBLIC "-//OpenOffice.org//DTD OfficeDocument 1.0//EN" "library.dtd">
<library:library xmlns:library="http://openoffice.org/2000/library" library:name="Standard" library:readonly="false"
 library:passwordprotected="false"><library:element library:name="Reader"/></library:library>
"""
_MODULE = """\
<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE script:module PUBLIC "-//OpenOffice.org//DTD OfficeDocument 1.0//EN" "module.dtd">
<script:module xmlns:script="http://openoffice.org/2000/script" script:name="Reader" script:language="StarBasic"
 script:moduleType="normal">{code}</script:module>
"""
_CODE = """\
Function named(name As String, value As Variant) As Object
  Dim made As New com.sun.star.beans.PropertyValue
  made.Name = name
  made.Value = value
  named = made
End Function

Sub sortRows(book As Object, sheetName As String, header As String, ascending As Boolean)
  sheet = book.Sheets.getByName(sheetName)
  cursor = sheet.createCursor()
  cursor.gotoEndOfUsedArea(False)
  lastColumn = cursor.RangeAddress.EndColumn
  rows = sheet.getCellRangeByPosition(0, 0, lastColumn, cursor.RangeAddress.EndRow)
  Dim fields(0) As New com.sun.star.table.TableSortField
  fields(0).Field = -1
  For column = 0 To lastColumn
    If sheet.getCellByPosition(column, 0).String = header Then fields(0).Field = column
  Next column
  fields(0).IsAscending = ascending
  rows.sort(Array(named("ContainsHeader", True), named("IsSortColumns", False), named("BindFormatsToContent", True), _
    named("SortFields", fields())))
End Sub

Sub main
  On Error Goto failed
  book = StarDesktop.loadComponentFromURL({source}, "_blank", 0, Array(named("Hidden", True)))
{steps}
  book.storeToURL({target}, Array(named("FilterName", "Calc MS Excel 2007 XML")))
  book.close(True)
failed:
  StarDesktop.terminate()
End Sub
"""


def find_office() -> str:
    """LibreOffice's command; the test is skipped where it is not installed."""
    office = shutil.which("soffice") or shutil.which("libreoffice")
    if office is None:
        pytest.skip("LibreOffice is not installed")
    return office


def convert(workbook: Path, to: str, folder: Path) -> Path:
    """What LibreOffice makes of a workbook: ``pdf``, ``ods``, ``xlsx``."""
    _run(folder, "--convert-to", to, "--outdir", str(folder), str(workbook))
    return folder / f"{workbook.stem}.{to}"


def sort_and_save(workbook: Path, target: Path, sorts: list[tuple[str, str, bool]], steps: str = "") -> None:
    """Open a workbook, sort it, and save it as another one.

    Args:
        workbook: opened, and left as it is.
        target: what is saved.
        sorts: sheet, header of the column and whether it rises, one after the other.
        steps: lines of Basic that are done after that; the document is ``book``.
    """
    calls = [f'  sortRows(book, "{sheet}", "{header}", {rises})' for sheet, header, rises in sorts]
    code = _CODE.format(
        source=f'"{workbook.resolve().as_uri()}"',
        target=f'"{target.resolve().as_uri()}"',
        steps="\n".join([*calls, steps]),
    )
    library = target.parent / "profile" / "user" / "basic" / "Standard"
    if not library.exists():
        _run(target.parent, "--terminate_after_init")  # a new profile begins with a library of its own
    (library / "script.xlb").write_text(_LIBRARY, encoding="utf-8")
    (library / "Reader.xba").write_text(_MODULE.format(code=escape(code)), encoding="utf-8")
    _run(target.parent, "macro:///Standard.Reader.main")
    assert target.exists(), "LibreOffice did not go to the end of the macro"


def _run(folder: Path, *arguments: str) -> None:
    profile = f"-env:UserInstallation={(folder / 'profile').as_uri()}"
    subprocess.run([find_office(), profile, "--headless", *arguments], capture_output=True, check=True, timeout=180)
