"""The page's own pieces: templates without values; scripts in assets/ fill them from the value.

Values reach the page as JSON and are written with textContent, so that the text of a checkpoint
or a file name is never read as HTML.
"""
