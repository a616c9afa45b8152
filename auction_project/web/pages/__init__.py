"""The pages: templates and the views that render their frame. All data come to them by REST, in the browser."""
