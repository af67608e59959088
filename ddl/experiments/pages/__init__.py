"""What pages show: markup in which every text is escaped, rows of the table, curves as SVG."""
