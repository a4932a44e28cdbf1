"""Pages for people, of the bridge and of the sandbox: templates that share one look, and nothing that needs a script."""

from bridge.pages.pages import Pages, posted, root_of

__all__ = ["Pages", "posted", "root_of"]
