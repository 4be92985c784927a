//! The support desk's page: the routes that answer with HTML, signing in, and the files that the page is made of.
