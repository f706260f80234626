"""Pages for visitors, and the front page. They work without scripts."""
