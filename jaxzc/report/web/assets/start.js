// The page begins: the first proxy that is no size is selected, and the button names the theme that it changes to.
selectProxy((data.proxies.find(({ name, finite }) => finite !== 0 && !(name in (data.sizes ?? {}))) ?? data.proxies[0])?.name);
showTheme();
