"""Sources of cohorts: your own folders, tables and arrays here; published and drawn ones in their rooms."""
