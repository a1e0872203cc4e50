"""A leaderboard over several benchmarks as a web page, tables and a figure."""
