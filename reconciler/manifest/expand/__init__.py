"""One entry, many tasks: the values, periods and templates of an entry, and the generated tasks."""
