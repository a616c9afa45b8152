"""The pages: the views that render their frames. Their scripts load all data by REST, in the browser."""
