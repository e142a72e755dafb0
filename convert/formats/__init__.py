"""Files that hold a network: `network` is the door, each format has a module or folder.

To add a format, write its file here and enter it in `FORMATS` of `network`.
"""
