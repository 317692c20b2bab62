DELETE FROM U&"\006frders".daily;
