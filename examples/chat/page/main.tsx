import { createRoot } from 'react-dom/client';
import { Chat } from './chat.tsx';

const place = document.querySelector('#chat');
if (place === null) throw new Error('The page has no place for the chat.');
createRoot(place).render(<Chat />);
