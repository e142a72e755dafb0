import importlib.util

# Without the lava extra there is nothing in this folder that could even be imported.
collect_ignore_glob = [] if importlib.util.find_spec("lava") else ["test_*.py", "*/test_*.py"]
