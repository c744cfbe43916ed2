// Before the page is painted: no flash of the other colours. No module, since modules wait.
{
  const kept = localStorage.getItem("labelwright-theme");
  if (kept === "light" || kept === "dark") document.documentElement.dataset.theme = kept;
}
