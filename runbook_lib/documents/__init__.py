"""Pure editing of text and dicts: task definition, AppSpec, buildspec, pipeline definition, image files."""
