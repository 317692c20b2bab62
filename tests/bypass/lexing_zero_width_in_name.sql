DELETE FROM ord​ers.daily;
