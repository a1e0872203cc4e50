"""Opens a page in a browser, and hears what it says."""

from pathlib import Path
from typing import Any


def opened(browser: Any, path: Path, width: int = 1280, **options: Any) -> tuple[Any, list[str]]:
    """The page, and a list that grows with every console message, error, dialog and request."""
    page = browser.new_context(viewport={"width": width, "height": 800}, **options).new_page()
    heard: list[str] = []
    page.on("console", lambda message: heard.append(message.text))
    page.on("pageerror", lambda error: heard.append(str(error)))
    page.on("dialog", lambda dialog: (heard.append(dialog.message), dialog.dismiss()))
    page.on("request", lambda request: heard.append(request.url) if request.url != path.as_uri() else None)
    page.goto(path.as_uri())
    return page, heard
