"""Where frames come from: one module a kind of source, behind one small protocol."""
