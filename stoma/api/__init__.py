"""The control server: shows how things stand and takes commands, over HTTP."""
