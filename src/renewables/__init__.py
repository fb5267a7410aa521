"""Share of each country's electricity that hydro, solar and wind supply, from Our World in Data."""
