"""Ray on one machine or on several: started, reached, joined."""
