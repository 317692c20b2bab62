DELETEFROMorders.daily;
